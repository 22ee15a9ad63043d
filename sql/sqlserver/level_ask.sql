-- Below compatibility level 130 OPENJSON is an unknown object. This does not read the level itself, because compatible servers
-- report lower levels than they support.
SELECT COUNT(*) FROM OPENJSON(N'[1]')
