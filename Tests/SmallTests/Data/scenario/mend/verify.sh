#!/bin/bash
# Who says "don't" in a comment confuses nobody.
This is a line that somebody forgot here
found=$(kubectl get endpointslices -l kubernetes.io/service-name=page -o jsonpath='{.items[*].endpoints[*].addresses[0]}')
cat > /tmp/seen <<END
it isn't a command: jqless
END
[ -n "$found" ] || { echo "the Service leads nowhere"; exit 1; }
[ "$(ssh node01 hostname)" = node01 ] || { echo "node01 does not answer"; exit 1; }
