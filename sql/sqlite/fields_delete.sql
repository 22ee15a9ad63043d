DELETE FROM leadsync_lead_fields
WHERE (member_id, lead_id, field, position) IN (
    SELECT j.value ->> 'member_id', j.value ->> 'lead_id', j.value ->> 'field', j.value ->> 'position'
    FROM json_each(@fields_gone) AS j
)
