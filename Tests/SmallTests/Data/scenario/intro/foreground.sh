#!/bin/bash
echo "please wait"
while ! test -f /tmp/ready; do sleep 0.2; done
echo "ready on $(hostname)"
