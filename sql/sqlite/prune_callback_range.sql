-- The last of the next callbacks in the order of their leads, and how many of them are old. There is no index by time: each
-- callback would have to write it.
SELECT COALESCE(MAX(n.lead_id), 0), COALESCE(SUM(CASE WHEN n.received_at < @before THEN 1 ELSE 0 END), 0)
FROM (
    SELECT c.lead_id, c.received_at
    FROM leadsync_callbacks AS c
    WHERE c.member_id = @member_id AND c.lead_id > @after
    ORDER BY c.lead_id
    LIMIT @limit
) AS n
