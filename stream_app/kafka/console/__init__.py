"""Kafka from a terminal, beside workers that run: events in, tag changes and a profile out.

`produce` sends checked events at the `pace` that was asked for, `tail` reads tag changes,
`one_profile` a user's profile.
"""
