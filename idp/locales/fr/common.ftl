# Ce que toutes les pages partagent.
common-skip = Aller au contenu
common-languages = Langue
common-navigation = Rubriques
common-help = Aide
common-privacy = Données personnelles
common-legal = Mentions légales
common-accessibility = Accessibilité
common-pagination = Pages
common-previous = Précédent
common-next = Suivant
common-continue = Continuer
common-sign-out = Se déconnecter
common-signed-in-as = Compte utilisé : { $name }
# $name : le nom d'un portail.
common-back-to = Retourner sur { $name }
common-client-links = Engagements de { $name } :
common-client-policy = Politique de confidentialité
common-client-tos = Conditions d’utilisation
# Courriels en texte simple.
common-mail-hello = Bonjour,
common-mail-sign-off = Bien à vous,
common-mail-no-password = Nous ne vous demanderons jamais votre mot de passe, ni par courriel ni par téléphone.
common-mail-help = Aide : { $href }
common-mail-privacy = Données personnelles : { $href }
common-mail-report = Ce n’était pas vous ? Signalez-le par ce lien, utilisable une seule fois : tout sera déconnecté.
