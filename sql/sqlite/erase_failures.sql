DELETE FROM bitrix_import_lead_error WHERE member_id = @member_id
