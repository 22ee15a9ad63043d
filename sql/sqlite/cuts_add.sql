-- cuts_insert.sql for a list of rows.
INSERT INTO bitrix_import_lead_error (member_id, lead_id, sql_ID, sql_error, sql_date_error, sql_full_lead_info)
SELECT
    j.value ->> 'member_id',
    CAST(j.value ->> 'sql_ID' AS INTEGER),
    j.value ->> 'sql_ID',
    j.value ->> 'sql_error',
    j.value ->> 'sql_date_error',
    j.value ->> 'sql_full_lead_info'
FROM json_each(@cuts) AS j
WHERE NOT EXISTS (
    SELECT 1 FROM bitrix_import_lead_error AS e
    WHERE e.member_id = j.value ->> 'member_id' AND e.lead_id = CAST(j.value ->> 'sql_ID' AS INTEGER) AND e.sql_error = j.value ->> 'sql_error'
)
