DELETE FROM dbo.leadsync_field_types WHERE member_id = @member_id
