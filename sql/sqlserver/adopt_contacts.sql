-- This updates the whole table, whose locks do not escalate, so it takes a lock on the table at once.
UPDATE dbo.bitrix_lead_contacts WITH (TABLOCKX) SET member_id = @member_id WHERE member_id = ''
