UPDATE bitrix_lead_contacts SET member_id = @member_id WHERE member_id = ''
