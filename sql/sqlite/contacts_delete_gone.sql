DELETE FROM bitrix_lead_contacts
WHERE (member_id, sql_LEAD_ID) IN (SELECT s.member_id, s.sql_ID FROM stage_marks AS s WHERE s.gone = 1)
