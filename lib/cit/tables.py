"""The descriptions in formats/*.toml as tables. Written by tools/formats: do not edit."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    class Kind(NamedTuple):
        version: int
        formats: tuple[str, ...] = ()  # of its body; none: it is a file of its own
        attributes: tuple[str, ...] = ()  # of its mark, besides `nonl`
        many: bool = False  # whether a job may have more than one
        cap: int = 16384  # bytes of its TOML
        schema: dict[str, Any] = {}
else:
    _names = "version formats attributes many cap schema"
    Kind = namedtuple("Kind", _names, defaults=((), (), False, 16384, {}))

# fmt: off
# ruff: noqa: E501
KINDS: dict[str, Kind] = {
    'config': Kind(1, schema={
        'type': 'object',
        'additionalProperties': False,
        'properties': {
            'queue': {'type': 'string', 'expected': 'the directory of a queue'},
            'work': {'type': 'string', 'expected': 'a directory'},
            'slots': {'type': 'integer', 'minimum': 1, 'maximum': 4096},
            'start': {'enum': ['push', 'cron']},
            'grace': {'format': 'duration', 'minimum': 0, 'default': '10s'},
            'patience': {'format': 'duration', 'minimum': 0, 'default': '10s'},
            'cgroup': {'type': 'string', 'expected': 'the directory of a control group, or none'},
            'job_uid': {'type': 'integer', 'minimum': 1, 'maximum': 4294967294, 'default': 61999},
            'color': {'enum': ['auto', 'always', 'never'], 'default': 'auto'},
        },
    }),
    'files': Kind(1, formats=('tar',)),
    'history': Kind(1, formats=('tab',)),
    'job': Kind(1, formats=('toml',), cap=16384, schema={
        'type': 'object',
        'additionalProperties': False,
        'filled': ['id', 'name', 'queue'],
        'properties': {
            'id': {
                'type': 'string',
                'pattern': '[0-7][0-9a-hjkmnp-tv-z]{25}',
                'expected': 'an id: a ULID in lower case, 26 characters',
            },
            'name': {
                'type': 'string',
                'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                'expected': 'a name such as "hello": at most 64 of a-z, 0-9, ".", "_", "-", beginning with a letter or digit',
            },
            'queue': {
                'type': 'string',
                'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                'expected': 'the name of a queue such as "main": at most 64 of a-z, 0-9, ".", "_", "-"',
            },
            'priority': {'type': 'integer', 'minimum': 0, 'maximum': 99, 'default': 50},
            'readers': {'enum': ['all', 'group', 'owner']},
            'isolate': {
                'type': 'string',
                'pattern': 'none|chroot:(?:busybox|host)|docker:[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}',
                'expected': '"none", "chroot:busybox", "chroot:host" or "docker:IMAGE"',
                'default': 'none',
            },
            'slots': {'type': 'integer', 'minimum': 1, 'maximum': 1000, 'default': 4},
            'note': {'type': 'string', 'maxLength': 4096},
            'needs': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {
                    'memory': {'format': 'size', 'minimum': 1},
                    'procs': {'type': 'integer', 'minimum': 1, 'maximum': 65536},
                    'tools': {
                        'type': 'array',
                        'maxItems': 64,
                        'items': {
                            'type': 'string',
                            'pattern': '[A-Za-z0-9][A-Za-z0-9._+-]{0,63}',
                            'expected': 'the name of a command such as "gcc"',
                        },
                    },
                    'job': {
                        'type': 'array',
                        'maxItems': 64,
                        'items': {
                            'type': 'string',
                            'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                            'expected': 'the id or the name of a job',
                        },
                    },
                    'artefact': {
                        'type': 'array',
                        'maxItems': 64,
                        'items': {
                            'type': 'string',
                            'pattern': '[a-z0-9][a-z0-9._-]{0,63}/.+',
                            'expected': 'an artefact such as "build/app"',
                        },
                    },
                    'check': {'type': 'string', 'pattern': '\\s*\\S[\\s\\S]*', 'expected': 'a script'},
                },
            },
            'limits': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {
                    'time': {'format': 'duration', 'exclusiveMinimum': 0},
                    'idle': {'format': 'duration', 'exclusiveMinimum': 0},
                    'memory': {'format': 'size', 'minimum': 1},
                    'procs': {'type': 'integer', 'minimum': 1, 'maximum': 4194304},
                    'disk': {'format': 'size', 'minimum': 1},
                    'log': {'format': 'size', 'minimum': 1},
                    'grace': {'format': 'duration', 'minimum': 0, 'default': '10s'},
                },
            },
            'env': {
                'type': 'object',
                'propertyNames': {
                    'pattern': '[A-Za-z_][A-Za-z0-9_]{0,254}',
                    'expected': 'the name of a variable such as "LANG": letters, digits and "_"',
                },
                'additionalProperties': {'type': 'string', 'pattern': '[^\\x00]*', 'expected': 'a text without NUL'},
            },
            'vars': {
                'type': 'object',
                'propertyNames': {
                    'pattern': '[A-Za-z_][A-Za-z0-9_.-]{0,254}',
                    'expected': 'the name of a variable such as "greeting": letters, digits, ".", "_", "-"',
                },
                'additionalProperties': {'type': 'string', 'pattern': '[^\\x00]*', 'expected': 'a text without NUL'},
            },
            'retry': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {'on_lost': {'enum': ['again']}},
            },
            'origin': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {
                    'kind': {'enum': ['program', 'spawn', 'again']},
                    'job': {
                        'type': 'string',
                        'pattern': '[0-7][0-9a-hjkmnp-tv-z]{25}',
                        'expected': 'an id: a ULID in lower case, 26 characters',
                    },
                    'run': {
                        'type': 'string',
                        'pattern': '[a-z0-9]+(?:\\.[a-z0-9]+)*',
                        'expected': 'the path of a run such as "1.2"',
                    },
                    'only': {'type': 'boolean'},
                    'program': {
                        'type': 'string',
                        'pattern': '[A-Za-z0-9](?:[A-Za-z0-9._+ -]{0,62}[A-Za-z0-9._+-])?',
                        'expected': 'the name of a stored program such as "test build"',
                    },
                    'who': {'type': 'string'},
                    'version': {'type': 'integer', 'minimum': 1},
                },
            },
        },
    }),
    'plain': Kind(1, cap=1048576, schema={
        'type': 'object',
        'additionalProperties': False,
        'filled': ['id', 'name', 'queue'],
        'properties': {
            'id': {
                'type': 'string',
                'pattern': '[0-7][0-9a-hjkmnp-tv-z]{25}',
                'expected': 'an id: a ULID in lower case, 26 characters',
            },
            'name': {
                'type': 'string',
                'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                'expected': 'a name such as "hello": at most 64 of a-z, 0-9, ".", "_", "-", beginning with a letter or digit',
            },
            'queue': {
                'type': 'string',
                'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                'expected': 'the name of a queue such as "main": at most 64 of a-z, 0-9, ".", "_", "-"',
            },
            'priority': {'type': 'integer', 'minimum': 0, 'maximum': 99, 'default': 50},
            'readers': {'enum': ['all', 'group', 'owner']},
            'isolate': {
                'type': 'string',
                'pattern': 'none|chroot:(?:busybox|host)|docker:[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}',
                'expected': '"none", "chroot:busybox", "chroot:host" or "docker:IMAGE"',
                'default': 'none',
            },
            'slots': {'type': 'integer', 'minimum': 1, 'maximum': 1000, 'default': 4},
            'note': {'type': 'string', 'maxLength': 4096},
            'needs': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {
                    'memory': {'format': 'size', 'minimum': 1},
                    'procs': {'type': 'integer', 'minimum': 1, 'maximum': 65536},
                    'tools': {
                        'type': 'array',
                        'maxItems': 64,
                        'items': {
                            'type': 'string',
                            'pattern': '[A-Za-z0-9][A-Za-z0-9._+-]{0,63}',
                            'expected': 'the name of a command such as "gcc"',
                        },
                    },
                    'job': {
                        'type': 'array',
                        'maxItems': 64,
                        'items': {
                            'type': 'string',
                            'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                            'expected': 'the id or the name of a job',
                        },
                    },
                    'artefact': {
                        'type': 'array',
                        'maxItems': 64,
                        'items': {
                            'type': 'string',
                            'pattern': '[a-z0-9][a-z0-9._-]{0,63}/.+',
                            'expected': 'an artefact such as "build/app"',
                        },
                    },
                    'check': {'type': 'string', 'pattern': '\\s*\\S[\\s\\S]*', 'expected': 'a script'},
                },
            },
            'limits': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {
                    'time': {'format': 'duration', 'exclusiveMinimum': 0},
                    'idle': {'format': 'duration', 'exclusiveMinimum': 0},
                    'memory': {'format': 'size', 'minimum': 1},
                    'procs': {'type': 'integer', 'minimum': 1, 'maximum': 4194304},
                    'disk': {'format': 'size', 'minimum': 1},
                    'log': {'format': 'size', 'minimum': 1},
                    'grace': {'format': 'duration', 'minimum': 0, 'default': '10s'},
                },
            },
            'env': {
                'type': 'object',
                'propertyNames': {
                    'pattern': '[A-Za-z_][A-Za-z0-9_]{0,254}',
                    'expected': 'the name of a variable such as "LANG": letters, digits and "_"',
                },
                'additionalProperties': {'type': 'string', 'pattern': '[^\\x00]*', 'expected': 'a text without NUL'},
            },
            'vars': {
                'type': 'object',
                'propertyNames': {
                    'pattern': '[A-Za-z_][A-Za-z0-9_.-]{0,254}',
                    'expected': 'the name of a variable such as "greeting": letters, digits, ".", "_", "-"',
                },
                'additionalProperties': {'type': 'string', 'pattern': '[^\\x00]*', 'expected': 'a text without NUL'},
            },
            'retry': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {'on_lost': {'enum': ['again']}},
            },
            'origin': {
                'type': 'object',
                'additionalProperties': False,
                'properties': {
                    'kind': {'enum': ['program', 'spawn', 'again']},
                    'job': {
                        'type': 'string',
                        'pattern': '[0-7][0-9a-hjkmnp-tv-z]{25}',
                        'expected': 'an id: a ULID in lower case, 26 characters',
                    },
                    'run': {
                        'type': 'string',
                        'pattern': '[a-z0-9]+(?:\\.[a-z0-9]+)*',
                        'expected': 'the path of a run such as "1.2"',
                    },
                    'only': {'type': 'boolean'},
                    'program': {
                        'type': 'string',
                        'pattern': '[A-Za-z0-9](?:[A-Za-z0-9._+ -]{0,62}[A-Za-z0-9._+-])?',
                        'expected': 'the name of a stored program such as "test build"',
                    },
                    'who': {'type': 'string'},
                    'version': {'type': 'integer', 'minimum': 1},
                },
            },
            'stage': {
                'type': 'array',
                'maxItems': 1000,
                'expected': 'tables [[stage]], at most 1000',
                'items': {
                    'type': 'object',
                    'expected': 'a table',
                    'additionalProperties': False,
                    'required': ['name'],
                    'properties': {
                        'name': {
                            'type': 'string',
                            'pattern': '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
                            'expected': 'the name of a stage such as "build": at most 64 letters, digits, ".", "_", "-"',
                        },
                        'needs': {
                            'type': 'array',
                            'maxItems': 1000,
                            'expected': 'a list of names of stages',
                            'items': {
                                'type': 'string',
                                'pattern': '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
                                'expected': 'the name of a stage such as "build"',
                            },
                        },
                        'run': {'expected': 'a text, or a list of lines', 'items': {'type': 'string'}},
                        'image': {
                            'type': 'string',
                            'pattern': '[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}',
                            'expected': 'the name of an image such as "debian:12"',
                        },
                        'chroot': {'enum': ['busybox', 'host']},
                        'timeout': {'format': 'duration'},
                        'retry': {
                            'expected': 'a number of attempts from 1 to 1000, or a table',
                            'additionalProperties': False,
                            'required': ['attempts'],
                            'properties': {
                                'attempts': {'type': 'integer', 'minimum': 1, 'maximum': 1000},
                                'on': {
                                    'type': 'array',
                                    'maxItems': 100,
                                    'expected': 'a list of statuses and codes such as ["timeout", 75]',
                                },
                                'backoff': {'format': 'duration'},
                            },
                        },
                        'allow_failure': {'type': 'boolean', 'default': False},
                        'finally': {'type': 'boolean', 'default': False},
                        'matrix': {
                            'type': 'object',
                            'propertyNames': {
                                'pattern': '[A-Za-z_][A-Za-z0-9_]{0,254}',
                                'expected': 'the name of a variable such as "python": letters, digits and "_"',
                            },
                            'additionalProperties': {
                                'type': 'array',
                                'minItems': 1,
                                'maxItems': 1000,
                                'expected': 'a list of texts, at least one',
                                'items': {
                                    'type': 'string',
                                    'pattern': '[^\\x00]*',
                                    'expected': 'a text without NUL, in quotes',
                                },
                            },
                        },
                        'env': {
                            'type': 'object',
                            'propertyNames': {
                                'pattern': '[A-Za-z_][A-Za-z0-9_]{0,254}',
                                'expected': 'the name of a variable such as "LANG": letters, digits and "_"',
                            },
                            'additionalProperties': {
                                'type': 'string',
                                'pattern': '[^\\x00]*',
                                'expected': 'a text without NUL',
                            },
                        },
                    },
                },
            },
            'program': {'type': 'string', 'pattern': '(?s).*\\S.*', 'expected': 'the text of a program'},
        },
        'required': [],
    }),
    'program': Kind(1, formats=('lurch', 'sh', 'stages', 'toml'), cap=1048576, schema={
        'type': 'object',
        'additionalProperties': False,
        'required': ['stage'],
        'properties': {
            'stage': {
                'type': 'array',
                'maxItems': 1000,
                'expected': 'tables [[stage]], at most 1000',
                'items': {
                    'type': 'object',
                    'expected': 'a table',
                    'additionalProperties': False,
                    'required': ['name'],
                    'properties': {
                        'name': {
                            'type': 'string',
                            'pattern': '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
                            'expected': 'the name of a stage such as "build": at most 64 letters, digits, ".", "_", "-"',
                        },
                        'needs': {
                            'type': 'array',
                            'maxItems': 1000,
                            'expected': 'a list of names of stages',
                            'items': {
                                'type': 'string',
                                'pattern': '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
                                'expected': 'the name of a stage such as "build"',
                            },
                        },
                        'run': {'expected': 'a text, or a list of lines', 'items': {'type': 'string'}},
                        'image': {
                            'type': 'string',
                            'pattern': '[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}',
                            'expected': 'the name of an image such as "debian:12"',
                        },
                        'chroot': {'enum': ['busybox', 'host']},
                        'timeout': {'format': 'duration'},
                        'retry': {
                            'expected': 'a number of attempts from 1 to 1000, or a table',
                            'additionalProperties': False,
                            'required': ['attempts'],
                            'properties': {
                                'attempts': {'type': 'integer', 'minimum': 1, 'maximum': 1000},
                                'on': {
                                    'type': 'array',
                                    'maxItems': 100,
                                    'expected': 'a list of statuses and codes such as ["timeout", 75]',
                                },
                                'backoff': {'format': 'duration'},
                            },
                        },
                        'allow_failure': {'type': 'boolean', 'default': False},
                        'finally': {'type': 'boolean', 'default': False},
                        'matrix': {
                            'type': 'object',
                            'propertyNames': {
                                'pattern': '[A-Za-z_][A-Za-z0-9_]{0,254}',
                                'expected': 'the name of a variable such as "python": letters, digits and "_"',
                            },
                            'additionalProperties': {
                                'type': 'array',
                                'minItems': 1,
                                'maxItems': 1000,
                                'expected': 'a list of texts, at least one',
                                'items': {
                                    'type': 'string',
                                    'pattern': '[^\\x00]*',
                                    'expected': 'a text without NUL, in quotes',
                                },
                            },
                        },
                        'env': {
                            'type': 'object',
                            'propertyNames': {
                                'pattern': '[A-Za-z_][A-Za-z0-9_]{0,254}',
                                'expected': 'the name of a variable such as "LANG": letters, digits and "_"',
                            },
                            'additionalProperties': {
                                'type': 'string',
                                'pattern': '[^\\x00]*',
                                'expected': 'a text without NUL',
                            },
                        },
                    },
                },
            },
        },
    }),
    'queue': Kind(1, schema={
        'type': 'object',
        'additionalProperties': False,
        'required': ['name'],
        'properties': {
            'name': {
                'type': 'string',
                'pattern': '[a-z0-9][a-z0-9._-]{0,63}',
                'expected': 'a name such as "main": at most 64 of a-z, 0-9, ".", "_", "-", beginning with a letter or digit',
            },
            'epoch': {'type': 'integer', 'minimum': 1, 'default': 1},
            'slots': {'type': 'integer', 'minimum': 0, 'maximum': 4096, 'default': 0},
            'policy': {'enum': ['fifo'], 'default': 'fifo'},
            'push': {
                'type': 'array',
                'maxItems': 1024,
                'default': ['owner'],
                'items': {
                    'type': 'string',
                    'pattern': '\\*|@?[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\\$?',
                    'expected': 'the name of a user, "@group", "owner" or "*"',
                },
            },
            'readers': {'enum': ['all', 'group', 'owner'], 'default': 'owner'},
            'none': {'enum': ['owner', 'all'], 'default': 'owner'},
            'start': {'enum': ['push', 'cron'], 'default': 'cron'},
            'expire': {'format': 'duration', 'expected': 'a duration such as "7d"'},
            'spawn': {'type': 'integer', 'minimum': 0, 'maximum': 100000, 'default': 60},
        },
    }),
    'secret': Kind(1, formats=('age',), attributes=('is', 'to'), many=True),
    'sign': Kind(1, formats=('ssh',), many=True),
    'trace': Kind(1, formats=('tab',)),
}

# The columns of a record after RUN.
RECORDS: dict[str, tuple[str, ...]] = {
    'push': ('who', 'sha256'),
    'admit': ('who', 'number'),
    'assign': ('builder', 'epoch'),
    'deliver': ('builder',),
    'claim': ('host', 'pid', 'boot', 'attempt', 'version'),
    'begin': ('step', 'attempt'),
    'up': ('handle',),
    'down': (),
    'log': ('stream', 'text'),
    'usage': ('source', 'wall', 'user', 'sys', 'mem_peak', 'read', 'write'),
    'ask': ('verb', 'comment', 'default', 'deadline', 'who'),
    'answer': ('who', 'value', 'reason', 'token', 'sha256'),
    'wait': ('instant', 'for'),
    'spawn': ('id', 'program', 'version'),
    'stage': ('text',),
    'park': ('until', 'for'),
    'end': ('status', 'code', 'signal'),
    'data': ('name', 'value'),
    'artefact': ('name', 'sha256', 'size'),
    'note': ('who', 'text', 'token'),
    'hold': ('who', 'reason', 'token', 'until'),
    'release': ('who', 'reason', 'token'),
    'stop': ('who', 'reason', 'token'),
    'result': ('status', 'code', 'allowed'),
    'collect': ('who',),
    'seal': ('who', 'sha256'),
}

# How many of them a record has at least, where some were added later.
NEEDED: dict[str, int] = {
    'ask': 4,
    'answer': 3,
    'wait': 1,
    'park': 1,
    'note': 2,
    'hold': 2,
    'release': 2,
    'stop': 2,
    'result': 2,
}
