SELECT c.Id, c.sql_LEAD_ID, c.sql_CONTACT_ID, c.sql_TYPE_ID, c.sql_VALUE_TYPE, c.sql_VALUE
FROM OPENJSON(@ids) AS j
INNER LOOP JOIN dbo.bitrix_lead_contacts AS c ON c.member_id = @member_id AND c.sql_LEAD_ID = CONVERT(int, j.value)
