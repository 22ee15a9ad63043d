-- HOLDLOCK: nobody takes the portal over while what its owner writes is under way.
SELECT o.epoch FROM dbo.leadsync_owners AS o WITH (HOLDLOCK) WHERE o.member_id = @member_id
