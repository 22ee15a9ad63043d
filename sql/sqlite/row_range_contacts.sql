SELECT c.sql_LEAD_ID, c.sql_CONTACT_ID, c.sql_TYPE_ID, c.sql_VALUE_TYPE, c.sql_VALUE
FROM bitrix_lead_contacts AS c
WHERE c.member_id = @member_id AND c.sql_LEAD_ID > @after AND c.sql_LEAD_ID <= @up_to
ORDER BY c.sql_LEAD_ID, c.Id
