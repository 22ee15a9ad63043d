DELETE FROM leadsync_lead_fields
WHERE member_id = @member_id
    AND lead_id IN (SELECT j.value FROM json_each(@ids) AS j)
