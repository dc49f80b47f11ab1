-- The role that KEDA counts the queue with: it sees states and times, neither results nor keys nor whom they belong to.
-- Run once, after the first `hilbert migrate`, as the owner of the tables; then give it a password by \password.
CREATE ROLE hilbert_autoscaler LOGIN CONNECTION LIMIT 20;
GRANT SELECT (assessment_id, kind, state, created_at, not_before) ON stage TO hilbert_autoscaler;
GRANT SELECT (id, priority) ON assessment TO hilbert_autoscaler;
GRANT SELECT (state, created_at, not_before) ON delivery TO hilbert_autoscaler;
