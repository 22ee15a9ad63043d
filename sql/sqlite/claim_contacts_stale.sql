-- Contacts of leads that leadsync has read: what it read then has replaced them.
DELETE FROM bitrix_lead_contacts AS c
WHERE +c.member_id = '' AND c.Id > @after AND c.Id <= @upto AND EXISTS (
    SELECT 1
    FROM bitrix_leads AS l
    WHERE l.member_id = @member_id AND l.sql_ID = c.sql_LEAD_ID AND l.read_ticket > 0
)
