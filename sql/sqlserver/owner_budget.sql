UPDATE dbo.leadsync_owners SET
    budget_at = CONVERT(datetimeoffset(3), @budget_at, 127),
    budget_level = @budget_level,
    budget_depth = @budget_depth,
    budget_share = @budget_share,
    budget_refusals = @budget_refusals,
    budget_plan = @budget_plan
WHERE member_id = @member_id AND epoch = @epoch
