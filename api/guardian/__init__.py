"""The guardian's page: a code or a link shows what happened and takes one of four answers (decision 0028)."""
