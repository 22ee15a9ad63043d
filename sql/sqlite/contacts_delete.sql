DELETE FROM bitrix_lead_contacts WHERE Id IN (SELECT j.value FROM json_each(@contacts_gone) AS j)
