SELECT c.quick_check AS problem FROM pragma_quick_check AS c WHERE c.quick_check <> 'ok'
