DELETE FROM leadsync_changes
WHERE id > @after AND id <= @up_to AND changed_at < @before
