-- contacts_insert.sql for a list of rows.
INSERT INTO bitrix_lead_contacts (member_id, sql_LEAD_ID, sql_CONTACT_ID, sql_VALUE_TYPE, sql_VALUE, sql_TYPE_ID)
SELECT
    j.value ->> 'member_id',
    j.value ->> 'sql_LEAD_ID',
    j.value ->> 'sql_CONTACT_ID',
    j.value ->> 'sql_VALUE_TYPE',
    j.value ->> 'sql_VALUE',
    j.value ->> 'sql_TYPE_ID'
FROM json_each(@contacts) AS j
