-- fields_insert.sql for a list of rows.
INSERT INTO leadsync_lead_fields (member_id, lead_id, field, position, value)
SELECT
    j.value ->> 'member_id',
    j.value ->> 'lead_id',
    j.value ->> 'field',
    j.value ->> 'position',
    j.value ->> 'value'
FROM json_each(@fields) AS j
