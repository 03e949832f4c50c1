systemctl restart kubelet
frobnicate --now
