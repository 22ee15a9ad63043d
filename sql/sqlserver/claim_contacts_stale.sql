-- Contacts of leads that leadsync has read: what it read then has replaced them.
DELETE c
FROM dbo.bitrix_lead_contacts AS c
WHERE c.member_id = N'' AND c.Id > @after AND c.Id <= @upto AND EXISTS (
    SELECT 1
    FROM dbo.bitrix_leads AS l
    WHERE l.member_id = @member_id AND l.sql_ID = c.sql_LEAD_ID AND l.read_ticket > 0
)
