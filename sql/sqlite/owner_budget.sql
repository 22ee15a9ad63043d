UPDATE leadsync_owners SET
    budget_at = @budget_at,
    budget_level = @budget_level,
    budget_depth = @budget_depth,
    budget_share = @budget_share,
    budget_refusals = @budget_refusals,
    budget_plan = @budget_plan
WHERE member_id = @member_id AND epoch = @epoch
