INSERT OR FAIL INTO bitrix_lead_contacts (member_id, sql_LEAD_ID, sql_CONTACT_ID, sql_VALUE_TYPE, sql_VALUE, sql_TYPE_ID)
SELECT s.member_id, s.sql_LEAD_ID, s.sql_CONTACT_ID, s.sql_VALUE_TYPE, s.sql_VALUE, s.sql_TYPE_ID
FROM stage_contacts AS s
