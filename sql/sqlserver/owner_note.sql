UPDATE dbo.leadsync_owners SET note = @note
WHERE member_id = @member_id AND epoch = @epoch
