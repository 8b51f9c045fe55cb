"""The room: a page on the facilitator's machine that shows, live, which exercise each seat has passed and where people are stuck.

``state`` keeps what the seats told, ``server`` speaks HTTP, ``page.html``, ``room.css`` and ``room.js`` are what is projected. The
learner's side is :mod:`course_lib.exercises.seat`.
"""
