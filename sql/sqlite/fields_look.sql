SELECT f.lead_id, f.field, f.position, f.value
FROM leadsync_lead_fields AS f
WHERE f.member_id = @member_id
    AND f.lead_id IN (SELECT j.value FROM json_each(@ids) AS j)
