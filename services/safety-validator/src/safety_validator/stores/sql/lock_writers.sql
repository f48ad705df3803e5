SELECT pg_advisory_xact_lock(hashtext('writers'), hashtext(current_schema()))
