"""Whether a rollout is done, still moving, or can't succeed, and the evidence for it."""
