UPDATE leadsync_owners SET fields_read_at = @read_at
WHERE member_id = @member_id AND epoch = @epoch
