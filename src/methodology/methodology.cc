// methodology
