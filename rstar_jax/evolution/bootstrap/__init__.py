"""Who proposes in round 1, before there is a policy of our own (paper section 3.4.2)."""
