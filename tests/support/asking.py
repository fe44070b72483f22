"""Plain HTTP, as clients of a server speak it."""

import collections.abc
import http.client
import json
import urllib.parse


def ask(address, path, body=None, method=None, headers=None):
    """An answer's status, headers and body; bytes, or pieces of them, go as they are, and anything
    else as JSON.
    """
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    try:
        if body is not None and not isinstance(body, bytes | collections.abc.Iterator):
            body = json.dumps(body).encode()
        method = method or ("GET" if body is None else "POST")
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ask_json(*args, **kwargs):
    """An answer's status and what its JSON says."""
    status, _, body = ask(*args, **kwargs)
    return status, json.loads(body)
