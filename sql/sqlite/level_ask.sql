SELECT COUNT(*) FROM json_each('[1]')
