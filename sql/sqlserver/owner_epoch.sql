-- HOLDLOCK: no other process becomes the portal's owner before this transaction ends.
SELECT o.epoch FROM dbo.leadsync_owners AS o WITH (HOLDLOCK) WHERE o.member_id = @member_id
