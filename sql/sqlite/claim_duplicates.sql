UPDATE leadsync_duplicate_leads SET member_id = @member_id WHERE Id > @after AND Id <= @upto AND +member_id = ''
