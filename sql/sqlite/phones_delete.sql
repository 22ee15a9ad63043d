DELETE FROM leadsync_phones WHERE id IN (SELECT j.value FROM json_each(@phones_gone) AS j)
