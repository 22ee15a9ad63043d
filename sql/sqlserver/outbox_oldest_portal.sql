-- The lowest id first, then its row: the rows are long.
SELECT o.created_at
FROM dbo.leadsync_outbox AS o
WHERE o.id = (SELECT MIN(f.id) FROM dbo.leadsync_outbox AS f WHERE f.member_id = @member_id)
