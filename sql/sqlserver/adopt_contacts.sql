-- The whole table, and its locks do not escalate: so it is locked whole.
UPDATE dbo.bitrix_lead_contacts WITH (TABLOCKX) SET member_id = @member_id WHERE member_id = ''
