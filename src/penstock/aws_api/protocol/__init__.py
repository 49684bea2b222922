"""AWS's protocols, from the server's side: a request becomes an operation's parameters, its answer goes back.

What a request looks like on the wire is read off botocore's service models, so that what botocore writes is read here
and what is written here is read by botocore. https://smithy.io/2.0/aws/protocols/index.html
"""
