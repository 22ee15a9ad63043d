SELECT c.Id, c.sql_LEAD_ID, c.sql_CONTACT_ID, c.sql_TYPE_ID, c.sql_VALUE_TYPE, c.sql_VALUE
FROM bitrix_lead_contacts AS c
WHERE c.member_id = @member_id
    AND c.sql_LEAD_ID IN (SELECT j.value FROM json_each(@ids) AS j)
