-- With + the condition uses no index: rows are found by their Id, or each batch would read all that wait.
UPDATE bitrix_leads SET member_id = @member_id WHERE Id > @after AND Id <= @upto AND +member_id = ''
