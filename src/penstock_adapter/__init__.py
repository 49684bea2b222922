"""What runs inside an execution environment next to the user's app: from the Lambda Runtime API to HTTP and back.

Imports nothing from `penstock`, ships alone as a Lambda layer, and plays the part of AWS Lambda Web Adapter
(https://github.com/aws/aws-lambda-web-adapter, called LWA in this package): same variables, same wire.
Start it with `python -I -m penstock_adapter`.
"""
