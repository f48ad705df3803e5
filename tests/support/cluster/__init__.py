"""A real cluster, as a person with kubectl and helm meets it."""
