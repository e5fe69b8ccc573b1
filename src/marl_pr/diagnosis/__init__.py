"""``marl diagnose``: does a team suffer from the diffusion of responsibility?

The answer comes from rollouts alone, for any environment of discrete actions and any host.
``docs/how_to/diagnose.md`` says what is measured, by which equations, and how often it errs.
"""
