DROP TABLE #stage_phones
