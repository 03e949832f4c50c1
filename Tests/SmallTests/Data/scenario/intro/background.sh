kubectl apply -f /root/app/page.yaml
kubectl wait --for=condition=Ready pod/page --timeout=60s
touch /tmp/ready
